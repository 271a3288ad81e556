export default {
  async queue(batch, env, ctx) {
    for (const message of batch.messages) {
      try {
        await handle(message.body, message.attributes);
        message.ack();
      } catch (error) {
        console.error(`attempt ${message.attempts} of ${message.id}:`, error);
        message.retry(); // or retry({ delaySeconds: 60 })
      }
    }
  },
};

async function handle(data, attributes) {
  if (typeof data?.name !== "string") throw new TypeError("there is no name in it");
  console.log(`${attributes.type}: hello ${data.name}`);
}
