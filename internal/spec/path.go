package spec

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A path names a value inside a Spec: networks.lab.subnets[1].dhcp.ranges[0].
// A map key that is not a plain word is quoted, so that a name with a dot stays
// one segment: networks["a.b"].mode. Paths are built with Field and Index only,
// so equal values have equal paths.

// Field extends a path by a struct key or a map key.
func Field(path, key string) string {
	switch {
	case !isWord(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// Index extends a path by a position in a list.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Parent returns the path without its last segment, "" for one segment.
func Parent(path string) string {
	end, rest := 0, path
	for rest != "" {
		n := segment(rest)
		if n == len(rest) {
			return path[:end]
		}
		end, rest = end+n, rest[n:]
	}
	return ""
}

// Split returns the segments of a path: keys without their quotes, positions
// with their brackets.
func Split(path string) []string {
	var segments []string
	for path != "" {
		n := segment(path)
		s := strings.TrimPrefix(path[:n], ".")
		if quoted, ok := strings.CutPrefix(s, `["`); ok {
			s, _ = strconv.Unquote(`"` + strings.TrimSuffix(quoted, "]"))
		}
		segments, path = append(segments, s), path[n:]
	}
	return segments
}

// segment returns the length of the first segment with its dot or brackets.
func segment(path string) int {
	if quoted, err := strconv.QuotedPrefix(path[1:]); err == nil && path[0] == '[' {
		return min(len("[")+len(quoted)+len("]"), len(path))
	}
	if i := strings.IndexAny(path[1:], ".["); i >= 0 {
		return i + 1
	}
	return len(path)
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, wordCharacters) == ""
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
const digits = "0123456789"
const wordCharacters = letters + digits + "_-"

// comparePaths orders paths by segment, positions by number.
func comparePaths(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		i, errX := strconv.Atoi(strings.Trim(x, "[]"))
		j, errY := strconv.Atoi(strings.Trim(y, "[]"))
		if errX == nil && errY == nil {
			return cmp.Or(cmp.Compare(i, j), cmp.Compare(x, y))
		}
		return cmp.Compare(x, y)
	})
}
