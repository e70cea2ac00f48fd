// Posts a message each time that the given number of milliseconds has passed; 0 ends that.
let timer = 0;
onmessage = ({ data }) => {
  clearInterval(timer);
  if (data) timer = setInterval(() => postMessage(null), data);
};
