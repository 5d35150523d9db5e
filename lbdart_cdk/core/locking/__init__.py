"""A project's manifest comes in; the one file of each package that loads on the target goes out.

Defines what a packaging tool must answer; the tools themselves are in ``lbdart_cdk.tools``.
"""
