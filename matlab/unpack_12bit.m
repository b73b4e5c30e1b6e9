function samples = unpack_12bit(bytes)
%UNPACK_12BIT  Two 12-bit samples from three bytes.
%   samples = unpack_12bit(bytes) turns (N, 1) uint8 into (2*N/3, 1) uint16, 0 to 4095.
%   Of the bytes b0 b1 b2: s0 = b0 + 256*(b1 & 15), s1 = (b1 >> 4) + 16*b2.
%
%   Example: unpack_12bit(uint8([255 31 0 188 58 18])) is [4095; 1; 2748; 291].
if mod(numel(bytes), 3)
    refuse('packed samples', sprintf('%d bytes', numel(bytes)), 'a multiple of 3 bytes');
end
b = uint16(reshape(bytes, 3, []));
samples = [b(1, :) + 256 * bitand(b(2, :), 15); bitshift(b(2, :), -4) + 16 * b(3, :)];
samples = samples(:);
end
