package plainbuffer

// CRC-8 with polynomial 0x07, start 0, most significant bit first, as the
// official SDKs compute it ("123456789" gives 0xF4).

// crcTables[k][b] is the checksum of byte b followed by k zero bytes, so that
// eight bytes at a time can be summed up by eight independent look-ups.
//
//nolint:gochecknoglobals // computed once, never changed
var crcTables = func() (t [8][256]byte) {
	for i := range 256 {
		c := byte(i)
		for range 8 {
			if c&0x80 != 0 {
				c = c<<1 ^ 0x07
			} else {
				c <<= 1
			}
		}
		t[0][i] = c
	}
	for k := 1; k < 8; k++ {
		for i := range 256 {
			t[k][i] = t[0][t[k-1][i]]
		}
	}
	return t
}()

func crcByte(crc, b byte) byte { return crcTables[0][crc^b] }

// crcText adds data, a name, a text or a part of a buffer.
func crcText(crc byte, data string) byte {
	t := &crcTables
	for len(data) >= 8 {
		crc = t[7][data[0]^crc] ^ t[6][data[1]] ^ t[5][data[2]] ^ t[4][data[3]] ^
			t[3][data[4]] ^ t[2][data[5]] ^ t[1][data[6]] ^ t[0][data[7]]
		data = data[8:]
	}
	if len(data)&4 != 0 {
		crc = t[3][data[0]^crc] ^ t[2][data[1]] ^ t[1][data[2]] ^ t[0][data[3]]
		data = data[4:]
	}
	if len(data)&2 != 0 {
		crc = t[1][data[0]^crc] ^ t[0][data[1]]
		data = data[2:]
	}
	if len(data) != 0 {
		crc = t[0][data[0]^crc]
	}
	return crc
}

// crcValue adds a value as it is on the wire. To read what was just written there would
// make the processor wait.
func crcValue(crc byte, v Value) byte {
	crc = crcByte(crc, byte(v.kind))
	switch v.kind {
	case Integer, Double:
		return crcUint64(crc, v.num)
	case Boolean:
		return crcByte(crc, byte(v.num)) //nolint:gosec // 0 or 1
	case String, Blob:
		return crcText(crcUint32(crc, uint32(len(v.text))), v.text) //nolint:gosec // bounded by the request size
	}
	return crc
}

// crcUint32 adds the bytes of n, the lowest first.
func crcUint32(crc byte, n uint32) byte {
	t := &crcTables
	return t[3][byte(n)^crc] ^ t[2][byte(n>>8)] ^ t[1][byte(n>>16)] ^ t[0][byte(n>>24)] //nolint:gosec // the lowest byte of each
}

// crcUint64 adds the bytes of n, the lowest first.
func crcUint64(crc byte, n uint64) byte {
	t := &crcTables
	return crcUint32(0, uint32(n>>32)) ^
		t[7][byte(n)^crc] ^ t[6][byte(n>>8)] ^ t[5][byte(n>>16)] ^ t[4][byte(n>>24)] //nolint:gosec // the lowest byte of each
}
