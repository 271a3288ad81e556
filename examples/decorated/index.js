// Shows what arrives: who has no token does not come here, and every parameter is there.
export default {
  fetch(request) {
    return Response.json(Object.fromEntries(new URL(request.url).searchParams));
  },
};
