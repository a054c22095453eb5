package libvirtxml

import (
	"strconv"
	"strings"
)

// Place tells the line and the column of an element or an attribute by its path below
// <network>, such as ip[1]/dhcp/host[0]@mac; numbers count elements of one name from
// 0. What is not there has the place of what is around it.
func (d *Document) Place(path string) (line, column int) {
	path, attribute, _ := strings.Cut(path, "@")
	n := d.root
	for segment := range strings.SplitSeq(path, "/") {
		name, number, _ := strings.Cut(segment, "[")
		i, _ := strconv.Atoi(strings.TrimSuffix(number, "]"))
		inside := n.Named(name)
		if i < 0 || i >= len(inside) {
			if path != "" {
				attribute = ""
			}
			break
		}
		n = inside[i]
	}
	if a, has := n.Attribute(attribute); has {
		return d.lines.Position(a.At)
	}
	return d.lines.Position(n.At)
}
