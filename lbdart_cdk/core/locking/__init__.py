"""A project's manifest comes in; for each package, the one file that loads on the target goes out.

Defines the interface of a packaging tool; the tools themselves are in ``lbdart_cdk.tools``.
"""
