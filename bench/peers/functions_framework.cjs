// hello for @google-cloud/functions-framework.
exports.hello = (request, response) => response.type("text/plain").send("Hello, World!\n");
