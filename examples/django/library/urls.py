from django.urls import path

from library.books import views

urlpatterns = [path("books", views.books), path("books/<int:number>", views.book), path("visits", views.visits)]
