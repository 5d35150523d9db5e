"""Users and passwords come in; the login for a URL goes out, and texts without the secrets.

Also reads them from where they are kept.
"""
