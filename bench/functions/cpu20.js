// 20 ms of this process's own processor time, however long that takes.
let name;
export default {
  fetch() {
    name ??= crypto.randomUUID();
    const start = process.cpuUsage();
    let spent = 0;
    while (spent < 20_000) {
      const used = process.cpuUsage(start);
      spent = used.user + used.system;
    }
    return new Response(name);
  },
};
