package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// block is a range of addresses that is no part of the public Internet, with the name by which
// an error speaks of it.
type block struct {
	prefix netip.Prefix
	name   string
}

// blocks are refused unless allowed. They are those that the IANA special-purpose address
// registries (RFC 6890) call not globally reachable, those of deprecated tunnels, and public
// addresses under which clouds serve metadata of the machine. The most usual metadata addresses,
// 169.254.169.254, 100.100.100.200 and fd00:ec2::254, lie in the other ranges.
var blocks = []block{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},         // RFC 1122 section 3.2.1.3
	{netip.MustParsePrefix("10.0.0.0/8"), "private network"},    // RFC 1918
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier network"}, // RFC 6598
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"}, // RFC 3927
	{netip.MustParsePrefix("172.16.0.0/12"), "private network"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},      // RFC 6890 section 2.1
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"}, // RFC 5737
	{netip.MustParsePrefix("192.88.99.0/24"), "tunnel"},      // RFC 7526
	{netip.MustParsePrefix("192.168.0.0/16"), "private network"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmark"}, // RFC 2544
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"}, // RFC 5771
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},  // RFC 1112 section 4, and broadcast

	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("2001::/23"), "reserved"},          // RFC 2928; Teredo is in it
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"}, // RFC 3849
	{netip.MustParsePrefix("2002::/16"), "tunnel"},            // 6to4, RFC 7526
	{netip.MustParsePrefix("3fff::/20"), "documentation"},     // RFC 9637
	{netip.MustParsePrefix("fc00::/7"), "private network"},    // RFC 4193
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

var (
	// unicast holds every IPv6 address of the public Internet (RFC 4291 section 2.4). What lies
	// outside of it is refused without being known by name.
	unicast = netip.MustParsePrefix("2000::/3")
	// translated holds the IPv4 addresses that an IPv6-only network reaches through a translator,
	// in the last four bytes (NAT64, RFC 6052 section 2.1). The prefix that an operator may have
	// given a translator instead is public, and cannot be told from other networks.
	translated = netip.MustParsePrefix("64:ff9b::/96")
)

// AddressError means that a host has an address that must not be called. Test for it with
// errors.As.
type AddressError struct {
	Addr netip.Addr
	// Range says in a word or two what kind of address it is.
	Range string
}

// Error implements error. The address is left out: whoever chose the host would learn from it
// what a name means in the network of the program.
func (e *AddressError) Error() string { return "the address is not allowed (" + e.Range + ")" }

// check returns an *AddressError unless addr may be called.
func check(addr netip.Addr, allowed []netip.Prefix) error {
	// A prefix has no zone, and so contains no address that has one. An IPv4 address that is
	// written as one of IPv6 is called as what it is.
	addr = addr.WithZone("").Unmap()
	in := func(p netip.Prefix) bool { return p.Contains(addr) }
	if slices.ContainsFunc(allowed, in) {
		return nil
	}
	if translated.Contains(addr) {
		last := addr.As16()
		return check(netip.AddrFrom4([4]byte(last[12:])), allowed)
	}
	if i := slices.IndexFunc(blocks, func(b block) bool { return in(b.prefix) }); i >= 0 {
		return &AddressError{Addr: addr, Range: blocks[i].name}
	}
	if !addr.Is4() && !unicast.Contains(addr) {
		return &AddressError{Addr: addr, Range: "reserved"}
	}
	return nil
}

// ParseAllowed reads a list of prefixes such as 10.1.0.0/16 or fd00::/8 (RFC 4632 section 3.1),
// for [Config]; space around one does not count. It returns an error for every entry that is
// none, joined, each with the rule.
func ParseAllowed(list []string) ([]netip.Prefix, error) {
	var (
		allowed []netip.Prefix
		faults  []error
	)
	for _, text := range list {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("must be prefixes such as 10.1.0.0/16, not %.100q", text))
		case p.Addr().Is4In6():
			faults = append(faults, fmt.Errorf("must name IPv4 addresses as such, not %q", text))
		case p != p.Masked():
			faults = append(faults, fmt.Errorf("must have zeros after the prefix: %s instead of %q", p.Masked(), text))
		default:
			allowed = append(allowed, p)
		}
	}
	return allowed, errors.Join(faults...)
}
