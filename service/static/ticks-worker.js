// Posts a message every so many milliseconds as it is told; 0 ends that.
let timer = 0;
onmessage = ({ data }) => {
  clearInterval(timer);
  if (data) timer = setInterval(() => postMessage(null), data);
};
