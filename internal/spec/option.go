package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxOption is the most bytes a DHCP option can have here; what is longer fits no
// message that every client takes.
const MaxOption = 1024

// NotSent is the value that keeps an option, also one with a default, from being
// sent.
const NotSent = "none"

// EncodeOption turns a DHCP option as people write it into its code and its bytes.
// The key is a name, such as dns, or a number. The type of the value follows from
// the option; for a number that has no name it is told by a prefix, as in
// "u16: 1400", or else addresses or text. The data of NotSent is nil. It is an
// error when nobody knows the key, when the server itself owns the option, and
// when the value does not fit.
func EncodeOption(v6 bool, key, value string) (code uint16, data []byte, err error) {
	if code, err = optionCode(v6, key); err != nil {
		return 0, nil, err
	}
	if value = strings.TrimSpace(value); value == NotSent {
		return code, nil, nil
	}
	encode, value := encoderOf(v6, code, isNumber(key), value)
	if value == "" {
		return code, nil, advise("write none to not send it", "the option has no value")
	}
	data, err = encode(v6, value)
	switch {
	case err != nil:
		return code, nil, err
	case len(data) > MaxOption:
		return code, nil, fmt.Errorf("the option has %d bytes, at most %d can be sent", len(data), MaxOption)
	}
	return code, data, nil
}

// encoderOf returns how to write the value of an option, and the value without the
// prefix that decides it for an option by number.
func encoderOf(v6 bool, code uint16, byNumber bool, value string) (encoder, string) {
	prefix, rest, found := strings.Cut(value, ":")
	if e := valuePrefixes[prefix]; byNumber && found && e != nil {
		return e, strings.TrimSpace(rest)
	}
	for _, o := range optionTable(v6) {
		if o.code == code {
			return o.encode, value
		}
	}
	return guess, value
}

// optionCode finds the number of an option and refuses those that are not for
// people to set.
func optionCode(v6 bool, key string) (uint16, error) {
	for _, o := range ownedTable(v6) {
		if key == o.name || isNumber(key) && key == strconv.Itoa(int(o.code)) {
			return 0, advise(o.hint, "the server sets the option %s itself", key)
		}
	}
	if isNumber(key) {
		return optionNumber(v6, key)
	}
	for _, o := range optionTable(v6) {
		if key == o.name {
			return o.code, nil
		}
	}
	return 0, unknownOption(v6, key)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, digits) == "" }

func optionNumber(v6 bool, key string) (uint16, error) {
	last := 254 // 0 and 255 are pad and end (RFC 2132 section 3)
	if v6 {
		last = 65535
	}
	n, err := strconv.Atoi(key)
	if err != nil || n < 1 || n > last || key[0] == '0' {
		return 0, fmt.Errorf("%s is not the number of an option of %s, they go from 1 to %d", key, protocol(v6), last)
	}
	return uint16(n), nil
}

// unknownOption tells what may have been meant.
func unknownOption(v6 bool, key string) error {
	var names []string
	for _, o := range optionTable(v6) {
		names = append(names, o.name)
	}
	for _, o := range optionTable(!v6) {
		if o.name == key && v6 && (key == "router" || key == "mtu") {
			return advise("router advertisements tell it", "%s has no option %s", protocol(v6), key)
		}
		if o.name == key {
			return advise("write its number if there is one", "%s has no option %s", protocol(v6), key)
		}
	}
	if near := Nearest(key, names); near != "" {
		return advise("did you mean "+near+"?", "%q is not an option of %s", key, protocol(v6))
	}
	return advise("write its number", "%q is not an option of %s that has a name here", key, protocol(v6))
}

func protocol(v6 bool) string {
	if v6 {
		return "DHCPv6"
	}
	return "DHCPv4"
}

// OptionName is the name of an option by its number, "" when it has none.
func OptionName(v6 bool, code uint16) string {
	for _, o := range optionTable(v6) {
		if o.code == code {
			return o.name
		}
	}
	return ""
}
