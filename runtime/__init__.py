"""The custom resources' Lambda code: it reads events, calls lbdart_cdk.core, and sends the answers."""
