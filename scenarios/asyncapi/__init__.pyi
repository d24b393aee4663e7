from .document import (
    asyncapi_document as asyncapi_document,
)

__all__ = [
    "asyncapi_document",
]
