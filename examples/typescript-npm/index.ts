// TypeScript with packages from npm; the deployment bundles them.
import { nanoid } from "nanoid";
import { z } from "zod";

const Order = z.object({
  customer: z.email(),
  items: z.array(z.object({ sku: z.string().min(1), quantity: z.int().positive() })).min(1),
});
type Order = z.infer<typeof Order>;

interface Receipt {
  id: string;
  pieces: number;
  customer: string;
}

function receipt(order: Order): Receipt {
  const pieces = order.items.reduce((sum, item) => sum + item.quantity, 0);
  return { id: nanoid(12), pieces, customer: order.customer };
}

export default {
  async fetch(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response("POST an order\n", { status: 405 });
    const order = Order.safeParse(await request.json().catch(() => undefined));
    if (!order.success) {
      const errors = order.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
      return Response.json({ errors }, { status: 422 });
    }
    return Response.json(receipt(order.data), { status: 201 });
  },
};
