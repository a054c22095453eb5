package spec

import (
	"crypto/sha256"
	"fmt"
	"net"
)

// MAC is an Ethernet address. The zero value means "not set". Unlike
// net.HardwareAddr it is comparable, so it can be a map key and a struct field
// compared with ==.
type MAC [6]byte

// ParseMAC reads an Ethernet address in colon, dash or dot form. The address of
// zeros is an error: no interface may have it, and here it means "not set".
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("%q is not an Ethernet address such as 52:54:00:12:34:56", s)
	}
	if (MAC(hw)).IsZero() {
		return MAC{}, fmt.Errorf("%q is the address of zeros, which no interface may have", s)
	}
	return MAC(hw), nil
}

// GenerateMAC derives an address from a seed, the same for the same seed. It
// lies in the 52:54:00 block that KVM guests and bridges use, so it is unicast.
func GenerateMAC(seed string) MAC {
	sum := sha256.Sum256([]byte(seed))
	return MAC{0x52, 0x54, 0x00, sum[0], sum[1], sum[2]}
}

// IsZero reports whether the address is not set.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsMulticast reports whether the group bit is set; such an address cannot
// belong to an interface.
func (m MAC) IsMulticast() bool { return m[0]&1 == 1 }

// String prints the address in lower-case colon form, or "" when not set.
func (m MAC) String() string {
	if m.IsZero() {
		return ""
	}
	return net.HardwareAddr(m[:]).String()
}

// MarshalText implements encoding.TextMarshaler.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = MAC{}
		return nil
	}
	v, err := ParseMAC(string(b))
	if err == nil {
		*m = v
	}
	return err
}
