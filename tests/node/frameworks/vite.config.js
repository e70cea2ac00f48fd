// Builds one host app: `vite build <folder>`.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";

const isCustomElement = (tag) => tag.startsWith("magic-link");

export default {
  plugins: [vue({ template: { compilerOptions: { isCustomElement } } }), svelte({ configFile: false })],
  logLevel: "warn",
};
