package libvirtxml

import (
	"errors"

	"kvmnet/internal/xmltree"
)

// Update is one change that net-update makes.
type Update struct {
	Command string // one of UpdateCommands
	Section string // one of UpdateSections
	Parent  int    // counts the <ip> elements from 0; -1 takes the one that fits
	XML     string // the element, or as much of it as finds the one that is meant
}

// command is what is done to a section.
type command string

const (
	addFirst command = "add-first"
	addLast  command = "add-last"
	remove   command = "delete"
	modify   command = "modify"
)

// commands are what people write; virsh takes add for add-last.
var commands = map[string]command{"add-first": addFirst, "add-last": addLast, "add": addLast, "delete": remove, "modify": modify}

// UpdateCommands lists the commands in the order of virsh's manual.
func UpdateCommands() []string {
	return []string{string(addFirst), string(addLast), "add", string(remove), string(modify)}
}

// adds reports whether the command makes a new entry.
func (c command) adds() bool { return c == addFirst || c == addLast }

// classInvalid and classRefused begin the messages of an update.
const (
	classInvalid = "Requested operation is not valid: "
	classRefused = "Operation not supported: "
)

// change is an update on its way: what it says, and the copy that it changes.
type change struct {
	*Network
	command command
	section section
	parent  int
	node    *xmltree.Node
}

// Update changes one part of the network. The parts that libvirt changes are changed
// by its rules and with its words; it always refuses the others. On an error, an
// *Error, the network is as it was.
func (n *Network) Update(u Update) error {
	command, known := commands[u.Command]
	if !known {
		return &Error{Message: "unrecognized command name '" + u.Command + "'"}
	}
	s, known := updatable[u.Section]
	if !known {
		return &Error{Message: "unrecognized section name '" + u.Section + "'"}
	}
	root, lines, err := readElement(u.XML, updateLabel)
	if err != nil {
		return err
	}
	c := &change{Network: cloned(n), command: command, section: s, parent: u.Parent, node: root}
	if err := c.make(); err != nil {
		return located(lines, err)
	}
	if err := n.allows(c.Network); err != nil {
		return err
	}
	*n = *c.Network
	return nil
}

// make makes the change.
func (c *change) make() error {
	if c.section.update == nil {
		return c.edit()
	}
	return c.section.update(c)
}

// allows reads what the network became, as libvirt does after every update, and
// checks it, which libvirt leaves to the next definition. A network that was not
// right before is not held to be so now: what is wrong with it is not the update's.
func (n *Network) allows(next *Network) error {
	err := next.whole()
	if err != nil && n.whole() != nil {
		return nil
	}
	return err
}

// whole is what a definition of the network by its dump would say.
func (n *Network) whole() error {
	d, err := Read([]byte(n.Format()))
	if err == nil {
		err = d.Network.Check()
	}
	var e *Error
	if errors.As(err, &e) {
		return &Error{Message: e.Message} // its place is one in the dump
	}
	return err
}

// expect refuses an element of another name.
func (c *change) expect() error {
	if c.node.Name == c.section.element {
		return nil
	}
	return refuse(c.node.At, classXML, "unexpected element <%s>, expecting <%s>, while updating network '%s'", c.node.FullName(), c.section.element, c.Name)
}

// invalid is an error about what is there, or is not.
func (c *change) invalid(format string, values ...any) error {
	return refuse(c.node.At, classInvalid, format, values...)
}

// refused is an error about a command that a section does not have.
func (c *change) refused(format string, values ...any) error {
	return refuse(c.node.At, classRefused, format, values...)
}

// decoder reads elements of the network; those that are looked for may be partial.
func (c *change) decoder() *decoder {
	return &decoder{network: c.Name, partial: c.command == remove}
}
