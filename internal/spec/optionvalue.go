package spec

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// encoder turns the value of an option, which is not empty, into bytes.
type encoder func(v6 bool, value string) ([]byte, error)

// valuePrefixes say how the value of an option by number is meant.
var valuePrefixes = map[string]encoder{
	"ip": addresses, "text": text, "hex": hexadecimal,
	"u8": unsigned(8), "u16": unsigned(16), "u32": unsigned(32), "bool": boolean,
}

// guess is for numbers nobody knows, without a prefix. A bare number has a size
// that cannot be guessed.
func guess(v6 bool, value string) ([]byte, error) {
	if isNumber(value) {
		return nil, advise(fmt.Sprintf("write u8: %s, u16: %s, u32: %s or text: %s", value, value, value, value),
			"how many bytes the number %s has is not known", value)
	}
	isAddress := func(word string) bool { _, err := netip.ParseAddr(word); return err == nil }
	if !slices.ContainsFunc(listWords(value), func(word string) bool { return !isAddress(word) }) {
		return addresses(v6, value)
	}
	return text(v6, value)
}

func listWords(value string) []string {
	words := strings.Split(value, ",")
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	return words
}

func addresses(v6 bool, value string) ([]byte, error) {
	var data []byte
	for _, word := range listWords(value) {
		a, err := netip.ParseAddr(word)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is not an address", word)
		case a.Is4() == v6:
			return nil, fmt.Errorf("%s is %s, %s sends %s addresses here", a, family(a), protocol(v6), familyOf(v6))
		case a.Zone() != "" || a.Is4In6():
			return nil, fmt.Errorf("%s cannot be sent to a guest", a)
		}
		data = append(data, a.AsSlice()...)
	}
	return data, nil
}

func familyOf(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

func oneAddress(v6 bool, value string) ([]byte, error) {
	if strings.Contains(value, ",") {
		return nil, fmt.Errorf("%q is more than one address", value)
	}
	return addresses(v6, value)
}

func text(_ bool, value string) ([]byte, error) { return []byte(value), checkLine(value) }

func hostName(_ bool, value string) ([]byte, error) { return []byte(value), CheckHostName(value) }

// hexadecimal reads 01:02:ff or 0102ff.
func hexadecimal(_ bool, value string) ([]byte, error) {
	if b, err := colonHex(value); err == nil {
		return b, nil
	}
	b, err := hex.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("%q is not hexadecimal such as 01:02:ff or 0102ff", value)
	}
	return b, nil
}

// colonHex reads bytes of two digits each with colons between them.
func colonHex(value string) ([]byte, error) {
	var data []byte
	for pair := range strings.SplitSeq(value, ":") {
		b, err := hex.DecodeString(pair)
		if err != nil || len(b) != 1 {
			return nil, fmt.Errorf("%q is not hexadecimal such as 01:02:ff", value)
		}
		data = append(data, b...)
	}
	return data, nil
}

func unsigned(bits int) encoder {
	return func(_ bool, value string) ([]byte, error) {
		n, err := strconv.ParseUint(value, 10, bits)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number from 0 to %d", value, uint64(1)<<bits-1)
		}
		return binary.BigEndian.AppendUint64(nil, n)[8-bits/8:], nil
	}
}

// signed32 is the number of seconds east of UTC.
func signed32(_ bool, value string) ([]byte, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number of seconds such as 3600 or -18000", value)
	}
	return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
}

func boolean(_ bool, value string) ([]byte, error) {
	switch value {
	case "true":
		return []byte{1}, nil
	case "false":
		return []byte{0}, nil
	}
	return nil, fmt.Errorf("%q is neither true nor false", value)
}

// domains writes names as labels, without compression, which RFC 3397 leaves to
// the server and RFC 8415 section 10 forbids.
func domains(_ bool, value string) ([]byte, error) {
	var data []byte
	for _, name := range listWords(value) {
		if err := CheckHostName(name); err != nil {
			return nil, err
		}
		data = appendLabels(data, name)
	}
	return data, nil
}

func appendLabels(data []byte, name string) []byte {
	for label := range strings.SplitSeq(name, ".") {
		data = append(append(data, byte(len(label))), label...)
	}
	return append(data, 0)
}

// ntpServers writes the suboptions of RFC 5908: addresses, of groups too, and
// names.
func ntpServers(v6 bool, value string) ([]byte, error) {
	var data []byte
	for _, word := range listWords(value) {
		kind, body := uint16(3), appendLabels(nil, word)
		if _, err := netip.ParseAddr(word); err == nil {
			if body, err = addresses(v6, word); err != nil {
				return nil, err
			}
			if kind = 1; body[0] == 0xff {
				kind = 2
			}
		} else if err := CheckHostName(word); err != nil {
			return nil, err
		}
		data = binary.BigEndian.AppendUint16(data, kind)
		data = binary.BigEndian.AppendUint16(data, uint16(len(body)))
		data = append(data, body...)
	}
	return data, nil
}

// routes writes "10.0.0.0/8 via 192.168.1.1, …" as RFC 3442 wants it: the length
// of each prefix, its bytes that matter, and the router.
func routes(_ bool, value string) ([]byte, error) {
	var data []byte
	for _, word := range listWords(value) {
		to, via, _ := strings.Cut(word, " via ")
		if strings.TrimSpace(to) == "default" {
			to = "0.0.0.0/0"
		}
		p, errTo := netip.ParsePrefix(strings.TrimSpace(to))
		a, errVia := netip.ParseAddr(strings.TrimSpace(via))
		switch {
		case errTo != nil || errVia != nil || !p.Addr().Is4() || !a.Is4():
			return nil, fmt.Errorf("%q is not a route such as 10.0.0.0/8 via 192.168.1.1", word)
		case p != p.Masked():
			return nil, advise("write "+p.Masked().String(), "%s has bits set after its first %d", p, p.Bits())
		}
		data = append(append(data, byte(p.Bits())), p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
		data = append(data, a.AsSlice()...)
	}
	return data, nil
}
