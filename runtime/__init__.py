"""The custom resources' Lambda code: events in, answers out; the work itself is lbdart_cdk.core's."""
