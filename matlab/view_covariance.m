function spread = view_covariance(tilt_deg, weights)
%VIEW_COVARIANCE  How noise of the views spreads to w, root of birefringence times axis.
%   spread = view_covariance(tilt_deg, weights)
%   tilt_deg  (1, V), tilts of the beams about y
%   weights   (1, V), inverse variances of the views, up to a factor
%   spread    (3, 3), covariance of w (x, y, z) for noise of unit variance: (A' W A)^-1, A the
%             projections on all views, W their weights with mean 1
%
%   Example: diag(view_covariance([0, 30], [1, 1])) is [1; 0.5; 7].
weights = weights / mean(weights);
normal = zeros(3);
for k = 1:numel(tilt_deg)
    projection = [cosd(tilt_deg(k)), 0, -sind(tilt_deg(k)); 0, 1, 0];
    normal = normal + weights(k) * (projection.' * projection);
end
spread = pinv(normal);
end
