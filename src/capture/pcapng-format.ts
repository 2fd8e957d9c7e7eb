/** Numbers of the pcapng format (draft-ietf-opsawg-pcapng), shared by its writer and its reader. */
export const SECTION_HEADER_BLOCK = 0x0a0d_0d0a;
export const INTERFACE_DESCRIPTION_BLOCK = 1;
export const PACKET_BLOCK = 2; // obsolete, written by early tools
export const SIMPLE_PACKET_BLOCK = 3;
export const NAME_RESOLUTION_BLOCK = 4;
export const INTERFACE_STATISTICS_BLOCK = 5;
export const ENHANCED_PACKET_BLOCK = 6;
export const DECRYPTION_SECRETS_BLOCK = 10;

export const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;

export const OPTION_END = 0;
export const OPTION_COMMENT = 1;
export const SECTION_HARDWARE = 2;
export const SECTION_OPERATING_SYSTEM = 3;
export const SECTION_APPLICATION = 4;
export const INTERFACE_NAME = 2;
export const INTERFACE_DESCRIPTION = 3;
export const INTERFACE_TIME_RESOLUTION = 9;
export const INTERFACE_TIME_OFFSET = 14;
export const PACKET_FLAGS = 2;
export const PACKET_ID = 5;
export const STATISTICS_RECEIVED = 4;
export const STATISTICS_DROPPED = 5;

export const NAME_RECORD_END = 0;
export const NAME_RECORD_IPV4 = 1;

/** Decryption secrets: a TLS key log in NSS format; WireGuard and ESP have theirs. */
export const SECRETS_TLS_KEY_LOG = 0x544c_534b;

/** LINKTYPE_ETHERNET of the registry of link-layer header types. */
export const LINK_TYPE_ETHERNET = 1;

/** The largest snap length that libpcap accepts without complaint (MAXIMUM_SNAPLEN). */
export const MAXIMUM_SNAP_LENGTH = 262_144;
