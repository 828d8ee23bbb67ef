// A function without a body, as go:linkname needs it, is allowed beside this file.
