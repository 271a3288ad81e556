export default {
  async scheduled(controller, env, ctx) {
    const due = new Date(controller.scheduledTime);
    console.log(`"${controller.cron}" was due at ${due.toISOString()}`);
    return { due }; // is kept as the result
  },
};
