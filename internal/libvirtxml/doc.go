// Package libvirtxml reads and writes libvirt's XML of networks and of their ports,
// and translates it to and from spec.
//
// What enters: documents as people and tools keep them, and specs. What leaves: a
// Network (model.go), which is what libvirt understood of a document; a spec and
// notes on whatever has no effect, with its line; documents in the order, quoting
// and indentation of libvirt; and the errors that libvirt would give, word for
// word.
//
// It must not import anything of ours but spec, specfile and xmltree, which takes
// documents apart.
package libvirtxml
