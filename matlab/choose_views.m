function [chosen, here] = choose_views(tilt_deg, seen)
%CHOOSE_VIEWS  Which views determine an axis, and where just those see tissue.
%   [chosen, here] = choose_views(tilt_deg, seen)
%   tilt_deg  (1, V), tilts of the beams about y
%   seen      (X, Y, V) logical, where a view sees tissue
%   chosen    (1, C) cell of rows of view numbers, from 1: at least two views, the outermost at
%             least 2 degrees apart; the largest choices first
%   here      (1, C) cell of (X, Y) logical: pixels that these views see and no others
%
%   Example: choose_views([0, -15, 1], true(1, 1, 3)) is {[1 2 3], [1 2], [2 3]}.
n_views = numel(tilt_deg);
chosen = {};
here = {};
for n = n_views:-1:2
    for views = nchoosek(1:n_views, n).'
        tilts = tilt_deg(views);
        if max(tilts) - min(tilts) >= 2
            others = setdiff(1:n_views, views);
            chosen{end + 1} = views.';
            here{end + 1} = all(seen(:, :, views), 3) & ~any(seen(:, :, others), 3);
        end
    end
end
end
