// The packages are two folders above the one in which this app is put together.
const root = `${import.meta.dirname}/../..`;

export default { reactStrictMode: true, outputFileTracingRoot: root, turbopack: { root } };
