"""The application, and the handler that Lambda calls."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Path
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI(title="Books")


class Book(BaseModel):
    """One book."""

    number: int
    title: str


BOOKS = {1: Book(number=1, title="Emma"), 2: Book(number=2, title="Persuasion")}


@app.get("/books/{number}")
def book(number: Annotated[int, Path(ge=1)]) -> Book:
    """Return a book."""
    if number not in BOOKS:
        raise HTTPException(404, f"There is no book {number}.")
    return BOOKS[number]


#: It answers the events of function URLs, HTTP APIs and load balancers.
handler = Mangum(app, lifespan="off")
