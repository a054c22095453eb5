package spec

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxInterfaceName is the longest interface name in bytes: the kernel's
// IFNAMSIZ without its final zero byte.
const MaxInterfaceName = 15

// MaxName is the longest name of a network or port in bytes.
const MaxName = 50

// CheckInterfaceName tells why a name cannot be given to an interface. Beyond
// the kernel's dev_valid_name it refuses "all", "default" and "lo", which mean
// something else below /proc/sys/net; "%", which the kernel replaces by a
// number; and "*", quotes and backslashes, which nft reads as patterns.
func CheckInterfaceName(name string) error {
	switch {
	case name == "":
		return errors.New("an interface name cannot be empty")
	case len(name) > MaxInterfaceName:
		return fmt.Errorf("%q has %d characters, an interface name has at most %d", name, len(name), MaxInterfaceName)
	case name == "." || name == ".." || name == "all" || name == "default" || name == "lo":
		return fmt.Errorf("%q is reserved and cannot name an interface", name)
	}
	for _, r := range name {
		if r <= ' ' || r > '~' || strings.ContainsRune(`/:%*"'\`, r) {
			return fmt.Errorf("%q cannot name an interface because of %q", name, r)
		}
	}
	if name[0] == '-' {
		return fmt.Errorf("%q cannot name an interface because it begins with a dash", name)
	}
	return nil
}

// CheckName tells why a name cannot be given to a network or a port: it has 1
// to MaxName letters, digits, dots, dashes, underscores and commas and begins
// with a letter or digit, so that it is also a file name and one shell word.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("a name cannot be empty")
	case len(name) > MaxName:
		return fmt.Errorf("the name has %d characters, at most %d are allowed", len(name), MaxName)
	}
	for _, r := range name {
		if !strings.ContainsRune(wordCharacters+".,", r) {
			return fmt.Errorf("the name %q cannot contain %q", name, r)
		}
	}
	if strings.IndexByte(letters+digits, name[0]) < 0 {
		return fmt.Errorf("the name %q must begin with a letter or a digit", name)
	}
	return nil
}

// CheckHostName applies RFC 1123 section 2.1 to a host or domain name without
// its final dot. Underscores are let through: guests are named with them.
func CheckHostName(name string) error {
	if len(name) > 253 {
		return fmt.Errorf("the host name has %d characters, at most 253 are allowed", len(name))
	}
	if whole, ok := strings.CutSuffix(name, "."); ok && whole != "" && !strings.HasSuffix(whole, ".") {
		return fmt.Errorf("%q ends with a dot, write %s", name, whole)
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return fmt.Errorf("%q is not a host name because a label is empty", name)
		case len(label) > 63:
			return fmt.Errorf("%q is not a host name because a label has more than 63 characters", name)
		case strings.Trim(label, wordCharacters) != "" || !isWord(label):
			return fmt.Errorf("%q is not a host name: letters, digits, dashes and dots are allowed", name)
		case label[0] == '-' || label[len(label)-1] == '-':
			return fmt.Errorf("%q is not a host name because a label begins or ends with a dash", name)
		}
	}
	return nil
}

// checkUUID accepts the form of RFC 9562, 8-4-4-4-12 hexadecimal digits.
func checkUUID(s string) error {
	parts := strings.Split(s, "-")
	good := len(parts) == 5
	for i, want := range []int{8, 4, 4, 4, 12} {
		good = good && len(parts[i]) == want && strings.Trim(parts[i], digits+"abcdefABCDEF") == ""
	}
	if !good {
		return fmt.Errorf("%q is not a UUID such as 3e3fce45-4f53-4fa7-bb32-11f34168b82b", s)
	}
	return nil
}

// checkLine accepts text without line breaks and other control characters.
func checkLine(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("the text is not UTF-8")
	}
	if i := strings.IndexFunc(s, isControl); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Errorf("the text must be one line without control characters, it contains %q", r)
	}
	return nil
}

// isControl includes the line and paragraph separators, which editors and YAML
// take for line breaks.
func isControl(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
