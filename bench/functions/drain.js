// Takes whatever comes, and can be asked how much of it has come so far.
let taken = 0;

export default {
  queue(batch) {
    taken += batch.messages.length;
  },
  fetch() {
    return Response.json(taken);
  },
};
