// Imports what is not there.
import { nothing } from "no-such-package";
export default { fetch: () => new Response(String(nothing)) };
