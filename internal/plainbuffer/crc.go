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

// crcBytes adds data, which is a string when it is part of a decoded buffer.
func crcBytes[T string | []byte](crc byte, data T) byte {
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
