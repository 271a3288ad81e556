import json

from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods

from library.books.models import Author, Book


@require_http_methods(["GET", "POST"])
def books(request):
    if request.method == "GET":
        found = Book.objects.select_related("author").filter(year__gte=request.GET.get("since", 0)).order_by("year")
        return JsonResponse([book.as_dict() for book in found], safe=False)
    sent = json.loads(request.body)
    author, _ = Author.objects.get_or_create(name=sent["author"])
    book = Book.objects.create(title=sent["title"], year=sent["year"], author=author)
    return JsonResponse(book.as_dict(), status=201)


def book(request, number):
    return JsonResponse(get_object_or_404(Book, pk=number).as_dict())


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})
