// 20 ms of waiting. Answers with a name for the instance, so that the bench can count them.
let name;
export default {
  async fetch() {
    name ??= crypto.randomUUID();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return new Response(name);
  },
};
