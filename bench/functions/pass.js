// Around a function or an upstream, and changes nothing.
export default { fetch: (request, env) => env.next(request) };
