// Package vault does the cryptography of castellan: sealing, hashing, tokens and RSA keys.
//
// It owns the master key and its file ([MasterKey]), the keys of instances ([Keyring],
// table instance_keys), password hashes ([Hasher]), personal access tokens ([Token]), secrets of
// clients ([NewSecret]), the pool of RSA keys made ahead ([KeyPool]), the form of a machine key
// ([MachineKeyFile]) and sealed places in lists and in the log ([Positions]).
// It does not know users, events or any wire: eventlog seals payloads with what a Keyring
// hands out, nouns store the hashes, and the table is made by the migrations of the engines.
//
// It guarantees:
//   - what was sealed opens only under the same key, with the same associated data, and
//     unchanged to the bit;
//   - the key of a removed instance is gone for every node at once ([Keyring] keeps no copy);
//   - a secret we only verify is kept as a hash: SHA-256 for tokens and secrets of 256 random bits and more,
//     argon2id for passwords;
//   - no key or token shows in a log, whatever the formatting verb;
//   - slow work is bounded, and nothing runs while nothing is asked for.
//
// Sources of randomness given to this package must be safe for concurrent use, as
// crypto/rand.Reader is. One that fails is not survivable, since the next nonce or key would
// not be random, so its failure panics.
package vault
