// Package bind puts handlers that take their instance as an argument behind generated services, whose
// methods have no room for it.
//
// A call of an instance's own API does not name the instance in its request: it is that of the host.
// Law 3 of the design holds all the same, from the first line of a handler inward. What generated code
// calls has a context and a request alone, so between the dispatcher, which finds the instance, and the
// adapter that [Unary] makes, which hands it on, the instance travels in a context value that nobody
// else can read. That is the one frame where it is not an argument (docs/adr/0014-handlers-of-instances.md).
//
// A service is a table:
//
//	func (s *Service) Methods() *bind.Table {
//		return bind.Service(&userv2.UserService_ServiceDesc,
//			bind.Unary("CreateUser", s.CreateUser),
//			bind.Unary("GetUserByID", s.GetUserByID),
//		)
//	}
//
// and s.Methods().Register(registrar) serves it. Methods that are not listed answer Unimplemented, to
// those who are known (decision D2), and need not declare who may call them.
//
// It does not decide anything about a call, nor where one leads: dispatch does. It guarantees that a
// table that does not fit its service, by a name or a type, panics where it is made, which is when the
// program starts; and that a handler never runs without an instance.
package bind
