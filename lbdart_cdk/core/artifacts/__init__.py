"""A project, a tool and a target come in; a finished zip with its build key, SBOM and report goes out.

Start here: each artifact's pipeline is one function.
"""
