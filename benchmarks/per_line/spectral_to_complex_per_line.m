function [j1, j2] = spectral_to_complex_per_line(spectra, tables)
%SPECTRAL_TO_COMPLEX_PER_LINE  spectral_to_complex with a loop over A-lines.
%   Mean and median of a sample are taken over A-lines: these are those of a B-line.
[n_k, n_x, ~, n_y] = size(spectra);
j1 = complex(zeros(1000, n_x, n_y, 'single'));
j2 = j1;
for y = 1:n_y
    for c = 1:2
        counts = single(spectra(:, :, c, y));
        if c == 2
            counts = flipud(counts);
        end
        background = mean(counts, 2);
        even = zeros(n_k, n_x, 'single');
        position = tables.before(:, c) + double(tables.weight(:, c));
        for x = 1:n_x
            even(:, x) = interp1(counts(:, x) - background, position);
        end
        middle = median(even, 2);
        for x = 1:n_x
            transformed = fft((even(:, x) - middle) .* tables.phasor(:, c));
            if c == 1
                j1(:, x, y) = conj(transformed(25:1024));
            else
                j2(:, x, y) = conj(transformed(25:1024));
            end
        end
    end
end
end
