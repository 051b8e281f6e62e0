"""What is wrong with the data, and what to do about it; callable, for `prepkit.profile` is a function as well."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package, which Python puts where the public function of the same name stands once it is imported."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from prepkit.profile.profile import profile

        return profile(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
