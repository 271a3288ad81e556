"""FastAPI: validation, a dependency, a streamed answer. What would be uvicorn's is Mayfly's."""

import asyncio
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

prices = {}


@asynccontextmanager
async def lifespan(app):
    prices.update({"tea": 2.5, "coffee": 3.0})
    yield


app = FastAPI(lifespan=lifespan)


class Order(BaseModel):
    drink: str
    count: int = Field(gt=0, le=12)


def customer(x_customer: Annotated[str | None, Header()] = None) -> str:
    if x_customer is None:
        raise HTTPException(401, "who are you?")
    return x_customer


@app.post("/orders", status_code=201)
async def order(order: Order, who: Annotated[str, Depends(customer)]):
    if order.drink not in prices:
        raise HTTPException(404, f"no {order.drink} here")
    return {"customer": who, "total": prices[order.drink] * order.count}


@app.get("/countdown")
async def countdown(start: int = 3):
    async def numbers():
        for number in range(start, 0, -1):
            yield f"{number}\n"
            await asyncio.sleep(0.01)
        yield "lift-off\n"

    return StreamingResponse(numbers(), media_type="text/plain")
