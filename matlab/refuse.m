function refuse(subject, found, expected)
%REFUSE  Raise the one error of bad data: what, what was found, what was expected.
%   refuse(subject, found, expected) raises octflow:data with the message
%   "subject: found ..., expected ...". All three are char; subject is mostly a path.
error('octflow:data', '%s: found %s, expected %s', subject, found, expected);
end
