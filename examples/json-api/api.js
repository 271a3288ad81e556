// A small JSON API without any framework: routes, validation, errors as application/problem+json.
// What it stores lives in the memory of one instance; see README.md.
const books = new Map([
  [1, { id: 1, title: "The Left Hand of Darkness", year: 1969 }],
  [2, { id: 2, title: "Solaris", year: 1961 }],
]);

const problem = (status, title, more = {}) =>
  Response.json({ type: "about:blank", title, status, ...more }, {
    status,
    headers: { "content-type": "application/problem+json" },
  });

function invalid(book) {
  const errors = {};
  if (typeof book?.title !== "string" || book.title.trim() === "") errors.title = "a text that is not empty";
  if (!Number.isInteger(book?.year) || book.year < 0) errors.year = "a whole number, 0 or more";
  return Object.keys(errors).length ? errors : null;
}

async function create(request) {
  let book;
  try {
    book = await request.json();
  } catch {
    return problem(400, "The body is not JSON");
  }
  const errors = invalid(book);
  if (errors) return problem(422, "The book is not valid", { errors });
  const id = Math.max(0, ...books.keys()) + 1;
  books.set(id, { id, title: book.title, year: book.year });
  return Response.json(books.get(id), { status: 201, headers: { location: `books/${id}` } });
}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const [, collection, id, ...rest] = pathname.split("/");
    if (collection !== "books" || rest.length) return problem(404, "No such page");

    if (id === undefined && request.method === "GET") {
      const since = Number(searchParams.get("since") ?? 0);
      return Response.json([...books.values()].filter((book) => book.year >= since));
    }
    if (id === undefined && request.method === "POST") return create(request);
    if (id !== undefined && request.method === "GET") {
      const book = books.get(Number(id));
      return book ? Response.json(book) : problem(404, "No such book");
    }
    return problem(405, "Not with this method");
  },
};
