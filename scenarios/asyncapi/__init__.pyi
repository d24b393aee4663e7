from .document import (
    ASYNCAPI as ASYNCAPI,
    asyncapi_document as asyncapi_document,
)

__all__ = [
    "ASYNCAPI",
    "asyncapi_document",
]
