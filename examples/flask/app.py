"""Flask: a WSGI application with a blueprint, a template, cookies and an error of its own."""

from flask import Blueprint, Flask, abort, jsonify, make_response, render_template_string, request

api = Blueprint("api", __name__, url_prefix="/api")


@api.post("/sum")
def total():
    numbers = request.get_json()
    if not isinstance(numbers, list):
        abort(422, "a list of numbers is wanted")
    return jsonify(sum=sum(numbers))


app = Flask(__name__)
app.register_blueprint(api)


@app.get("/<name>")
def hello(name):
    answer = make_response(render_template_string("<h1>Hello, {{ name }}!</h1>", name=name))
    answer.set_cookie("seen", name)
    return answer


@app.errorhandler(422)
def unprocessable(error):
    return jsonify(error=error.description), 422
