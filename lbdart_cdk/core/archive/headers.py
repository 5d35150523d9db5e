"""The headers of the zip format that the reader and the writer share.

Source: *APPNOTE.TXT, .ZIP File Format Specification* (PKWARE).
"""

from __future__ import annotations

import struct
from typing import Final

LOCAL_HEADER: Final = struct.Struct("<4sHHHHHLLLHH")
LOCAL_SIGNATURE: Final = b"PK\x03\x04"
CENTRAL_HEADER: Final = struct.Struct("<4sHHHHHHLLLHHHHHLL")
CENTRAL_SIGNATURE: Final = b"PK\x01\x02"
ZIP64_END: Final = struct.Struct("<4sQHHLLQQQQ")
ZIP64_END_SIGNATURE: Final = b"PK\x06\x06"
ZIP64_LOCATOR: Final = struct.Struct("<4sLQL")
ZIP64_LOCATOR_SIGNATURE: Final = b"PK\x06\x07"
#: The flag that marks a name as UTF-8.
UTF8_NAME: Final = 0x800
