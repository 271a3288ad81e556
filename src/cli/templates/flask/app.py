from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/")
def hello():
    return jsonify(hello=request.args.get("name", "world"))


@app.post("/echo")
def echo():
    return jsonify(received=request.get_json())
