// Does not parse: line 4.
export default {
  fetch() {
    return new Response("never";
  },
};
