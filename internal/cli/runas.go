package cli

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// identity is a user that a machine runs as.
type identity struct {
	uid, gid   int
	groups     []int
	name, home string // "" = unknown
}

// whoRuns tells who a machine runs as: the user that root names, or who called root by
// sudo. Nobody but root can be somebody else.
func whoRuns(name string) (*identity, error) {
	switch {
	case os.Getuid() != 0 && name != "":
		return nil, usage("--user is for root: the machine runs as you")
	case os.Getuid() != 0:
		return nil, nil
	case name == "" && os.Getenv("SUDO_UID") != "":
		return lookUp(os.Getenv("SUDO_UID"), os.Getenv("SUDO_GID"))
	case name == "":
		return nil, nil
	}
	return lookUp(name, "")
}

// lookUp finds a user by name or number. One that the host does not know has a number
// and, where it is given, a group.
func lookUp(name, group string) (*identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		uid, uidErr := strconv.ParseUint(name, 10, 31)
		gid, gidErr := strconv.ParseUint(group, 10, 31)
		if uidErr != nil || gidErr != nil {
			return nil, usagef("there is no user %s", name)
		}
		return (&identity{uid: int(uid), gid: int(gid), groups: []int{int(gid)}}).unlessRoot(), nil
	}
	i := &identity{name: u.Username, home: u.HomeDir}
	i.uid, _ = strconv.Atoi(u.Uid)
	i.gid, _ = strconv.Atoi(u.Gid)
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up the groups of %s: %w", u.Username, err)
	}
	for _, g := range groups {
		if gid, err := strconv.Atoi(g); err == nil {
			i.groups = append(i.groups, gid)
		}
	}
	return i.unlessRoot(), nil
}

// unlessRoot is nil for root, who stays what he is.
func (i *identity) unlessRoot() *identity {
	if i.uid == 0 {
		return nil
	}
	return i
}

// environment tells a program who it is.
func (i *identity) environment(env []string) []string {
	if i == nil || i.name == "" {
		return env
	}
	env = slices.DeleteFunc(env, func(e string) bool {
		return strings.HasPrefix(e, "HOME=") || strings.HasPrefix(e, "USER=") || strings.HasPrefix(e, "LOGNAME=")
	})
	return append(env, "HOME="+i.home, "USER="+i.name, "LOGNAME="+i.name)
}

// take makes the process that of the user, for good. The kernel takes all capabilities
// away with the user number (capabilities(7)).
func (i *identity) take() error {
	if i == nil {
		return nil
	}
	if err := syscall.Setgroups(i.groups); err != nil {
		return fmt.Errorf("take the groups of user %d: %w", i.uid, err)
	}
	if err := syscall.Setresgid(i.gid, i.gid, i.gid); err != nil {
		return fmt.Errorf("take group %d: %w", i.gid, err)
	}
	if err := syscall.Setresuid(i.uid, i.uid, i.uid); err != nil {
		return fmt.Errorf("become user %d: %w", i.uid, err)
	}
	return nil
}

// credential is the same for a child.
func (i *identity) credential() *syscall.Credential {
	if i == nil {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(i.uid), Gid: uint32(i.gid)}
	for _, g := range i.groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}
