from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def hello(name: str = "world"):
    return {"hello": name}


@app.post("/echo")
async def echo(body: dict):
    return {"received": body}
